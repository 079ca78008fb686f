"""Files: the formats of genomics, read with errors that name file and line, written without losing data."""

from gattn_tg.io.bed import BedRecord, Locus, Peak, read_bed, read_loci, read_peaks
from gattn_tg.io.bigwig import BigWig, check_bigwig, write_bigwig
from gattn_tg.io.contigs import ContigNames
from gattn_tg.io.fasta import Block, Record, read_fasta, stream_fasta
from gattn_tg.io.genome import Genome
from gattn_tg.io.gtf import Feature, read_gtf, transcription_starts
from gattn_tg.io.labelled import LabelledTable, TableColumns, read_labelled, stream_labelled
from gattn_tg.io.motifs.jaspar import jaspar_matrices
from gattn_tg.io.motifs.matrices import read_matrices, select
from gattn_tg.io.motifs.matrix import MotifMatrix
from gattn_tg.io.reads import Read
from gattn_tg.io.replacing import replacing, replacing_path
from gattn_tg.io.tables import BedRow, write_bed, write_tsv
from gattn_tg.io.variant_table import VariantTable
from gattn_tg.io.vcf import Vcf, VcfVariant

__all__ = [
    "BedRecord",
    "BedRow",
    "BigWig",
    "Block",
    "ContigNames",
    "Feature",
    "Genome",
    "LabelledTable",
    "Locus",
    "MotifMatrix",
    "Peak",
    "Read",
    "Record",
    "TableColumns",
    "VariantTable",
    "Vcf",
    "VcfVariant",
    "check_bigwig",
    "jaspar_matrices",
    "read_bed",
    "read_fasta",
    "read_gtf",
    "read_labelled",
    "read_loci",
    "read_matrices",
    "read_peaks",
    "replacing",
    "replacing_path",
    "select",
    "stream_fasta",
    "stream_labelled",
    "transcription_starts",
    "write_bed",
    "write_bigwig",
    "write_tsv",
]
