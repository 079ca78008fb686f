"""Files: FASTA and tables of labelled sequences in, BED and TSV out."""

from gattn_tg.io.fasta import Record, read_fasta
from gattn_tg.io.labelled import LabelledTable, read_labelled
from gattn_tg.io.replacing import replacing
from gattn_tg.io.tables import BedRow, write_bed, write_tsv

__all__ = [
    "BedRow",
    "LabelledTable",
    "Record",
    "read_fasta",
    "read_labelled",
    "replacing",
    "write_bed",
    "write_tsv",
]
