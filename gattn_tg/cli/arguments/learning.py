"""Options of the verbs that train and test models."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.cli.arguments import parse, shared


def demo(verbs: shared.Verbs) -> None:
    """The options of `gattn demo`."""
    verb = shared.verb(
        verbs, "demo", "train, test, predict and annotate on the bundled DNA; about a minute on two cores"
    )
    verb.add_argument("-o", "--output", type=Path, default=Path("gattn-demo"), help="folder to make (gattn-demo)")
    verb.add_argument(
        "--epochs", type=parse.whole(1, parse.MOST_EPOCHS), default=None, help="passes over the training set"
    )
    shared.overwrite(verb, "replace the folder of an earlier demo")


def init(verbs: shared.Verbs) -> None:
    """The options of `gattn init`."""
    verb = shared.verb(verbs, "init", "a commented configuration of a kind of model, ready to be trained and changed")
    verb.add_argument("kind", metavar="KIND", help="SequenceClassifier, GenomicGPT, MaskedEncoder, TrackModel ...")
    verb.add_argument("--preset", default="", help="sizes: tiny, small, base or long (those of the example)")
    verb.add_argument("--task", default="", help="of a SequenceClassifier: classes, labels or values (classes)")
    verb.add_argument("-o", "--output", type=Path, default=None, help="TOML to write (standard output)")
    shared.overwrite(verb, "replace the output file")


def train(verbs: shared.Verbs) -> None:
    """The options of `gattn train`."""
    verb = shared.verb(verbs, "train", "train the model that a TOML file describes")
    verb.add_argument("config", type=Path, metavar="CONFIG.toml")
    shared.training(verb)


def finetune(verbs: shared.Verbs) -> None:
    """The options of `gattn finetune`."""
    verb = shared.verb(verbs, "finetune", "train a new head on the weights of a checkpoint of any kind")
    shared.checkpoint(verb)
    verb.add_argument("config", type=Path, metavar="CONFIG.toml")
    shared.training(verb)


def importing(verbs: shared.Verbs) -> None:
    """The options of `gattn import`."""
    verb = shared.verb(verbs, "import", "a model of another project as a checkpoint: DNABERT, NT, Enformer, Borzoi")
    summary = (
        "its files: config.json, vocab.txt (of encoders), targets_HEAD.txt (names of tracks, if there), and weights as "
        "model.safetensors or pytorch_model.bin"
    )
    verb.add_argument("folder", type=Path, metavar="FOLDER", help=summary)
    verb.add_argument("-o", "--output", type=Path, required=True, help="checkpoint to make, a folder")
    summary = "models of tracks: bases of a window (196608 of Enformer, 524288 of Borzoi)"
    verb.add_argument("--window", type=parse.whole(1, parse.MOST_BASES), default=None, metavar="BASES", help=summary)
    shared.overwrite(verb, "replace a checkpoint that is there")


def convert(verbs: shared.Verbs) -> None:
    """The options of `gattn convert`."""
    verb = shared.verb(verbs, "convert", "an imported encoder as files of another project: what transformers loads")
    shared.checkpoint(verb)
    summary = "hf: config.json, vocab.txt and model.safetensors for the classes of transformers"
    verb.add_argument("--to", choices=("hf",), default="hf", help=summary)
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    shared.overwrite(verb, "replace a folder of such files that is there")


def export(verbs: shared.Verbs) -> None:
    """The options of `gattn export`."""
    verb = shared.verb(verbs, "export", "a model that runs without Python: a page for any browser, C, WebAssembly")
    shared.checkpoint(verb)
    summary = (
        "NAME.html, one page that needs nothing else; NAME.js, a module for other pages; NAME.wasm; NAME.c, or NAME.so "
        "for this machine, or NAME.dylib for Macs, with a header"
    )
    verb.add_argument("-o", "--output", type=Path, required=True, help=summary)
    verb.add_argument("--half", action="store_true", help="page and module: weights as float16, half the size")
    verb.add_argument("--gpu", action="store_true", help="page: can ask a GPU (WebGPU), where the browser has one")
    verb.add_argument("--head", default=None, help="head of a model of tracks (all)")
    shared.overwrite(verb, "replace files that are there")


def evaluate(verbs: shared.Verbs) -> None:
    """The options of `gattn evaluate`."""
    verb = shared.verb(verbs, "evaluate", "metrics of a checkpoint on held-out data")
    shared.checkpoint(verb)
    summary = "CSV/TSV with the columns of training, or a TOML file whose [data] is used (the held-out data of the run)"
    verb.add_argument("input", type=Path, nargs="?", default=None, metavar="DATA", help=summary)
    verb.add_argument("--html", type=Path, default=None, metavar="PAGE", help="also draw a page of the answers")
    summary = (
        "sequences in which the share of the second class is asked: DATA is then a table of known sequences of both "
        "classes that the model was not trained on"
    )
    verb.add_argument("--mixture", type=Path, default=None, metavar="FILE", help=summary)
    shared.overwrite(verb, "replace the page")
    shared.batch(verb)
    shared.both_strands(verb)
