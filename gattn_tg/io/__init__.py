"""Files: the formats of genomics, read with errors that name file and line, written without losing data."""

from gattn_tg.io.contigs import ContigNames
from gattn_tg.io.fasta import Record, read_fasta
from gattn_tg.io.genome import Genome
from gattn_tg.io.labelled import LabelledTable, read_labelled
from gattn_tg.io.replacing import replacing
from gattn_tg.io.tables import BedRow, write_bed, write_tsv
from gattn_tg.io.vcf import Vcf, VcfVariant

__all__ = [
    "BedRow",
    "ContigNames",
    "Genome",
    "LabelledTable",
    "Record",
    "Vcf",
    "VcfVariant",
    "read_fasta",
    "read_labelled",
    "replacing",
    "write_bed",
    "write_tsv",
]
