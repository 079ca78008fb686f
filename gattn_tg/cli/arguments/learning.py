"""Options of the verbs that train and test models."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.cli.arguments import common, parse


def demo(verbs: common.Verbs) -> None:
    """The options of `gattn demo`."""
    verb = common.verb(
        verbs, "demo", "train, test, predict and annotate on the bundled DNA; about a minute on two cores"
    )
    verb.add_argument("-o", "--output", type=Path, default=Path("gattn-demo"), help="folder to make (gattn-demo)")
    verb.add_argument(
        "--epochs", type=parse.whole(1, parse.MOST_EPOCHS), default=None, help="passes over the training set"
    )
    common.overwrite(verb, "replace the folder of an earlier demo")


def init(verbs: common.Verbs) -> None:
    """The options of `gattn init`."""
    verb = common.verb(verbs, "init", "a commented configuration of a kind of model, ready to be trained and changed")
    verb.add_argument("kind", metavar="KIND", help="SequenceClassifier, GenomicGPT, MaskedEncoder, TrackModel ...")
    verb.add_argument("--preset", default="", help="sizes of the model: tiny, small or base (those of the example)")
    verb.add_argument("--task", default="", help="of a SequenceClassifier: classes, labels or values (classes)")
    verb.add_argument("-o", "--output", type=Path, default=None, help="TOML to write (standard output)")
    common.overwrite(verb, "replace the output file")


def train(verbs: common.Verbs) -> None:
    """The options of `gattn train`."""
    verb = common.verb(verbs, "train", "train the model that a TOML file describes")
    verb.add_argument("config", type=Path, metavar="CONFIG.toml")
    common.training(verb)


def finetune(verbs: common.Verbs) -> None:
    """The options of `gattn finetune`."""
    verb = common.verb(verbs, "finetune", "train a new head on the weights of a checkpoint of any kind")
    common.checkpoint(verb)
    verb.add_argument("config", type=Path, metavar="CONFIG.toml")
    common.training(verb)


def importing(verbs: common.Verbs) -> None:
    """The options of `gattn import`."""
    verb = common.verb(verbs, "import", "a model of another project as a checkpoint: DNABERT, Nucleotide Transformer")
    summary = "its files: config.json, vocab.txt, and weights as model.safetensors or pytorch_model.bin"
    verb.add_argument("folder", type=Path, metavar="FOLDER", help=summary)
    verb.add_argument("-o", "--output", type=Path, required=True, help="checkpoint to make, a folder")
    common.overwrite(verb, "replace a checkpoint that is there")


def evaluate(verbs: common.Verbs) -> None:
    """The options of `gattn evaluate`."""
    verb = common.verb(verbs, "evaluate", "metrics of a checkpoint on held-out data")
    common.checkpoint(verb)
    summary = "CSV/TSV with the columns of training, or a TOML file whose [data] is used (the held-out data of the run)"
    verb.add_argument("input", type=Path, nargs="?", default=None, metavar="DATA", help=summary)
    verb.add_argument("--html", type=Path, default=None, metavar="PAGE", help="also draw a page of the answers")
    summary = (
        "sequences in which the share of the second class is asked: DATA is then a table of known sequences of both "
        "classes that the model was not trained on"
    )
    verb.add_argument("--mixture", type=Path, default=None, metavar="FILE", help=summary)
    common.overwrite(verb, "replace the page")
    common.batch(verb)
    common.both_strands(verb)
