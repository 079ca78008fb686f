"""`gattn evaluate CKPT [DATA] [--html page.html] [--mixture READS]`."""

from __future__ import annotations

import argparse

from gattn_tg.cli import device, output
from gattn_tg.cli.evaluation import tell, tell_json, tell_share
from gattn_tg.cli.output import say
from gattn_tg.errors import ConfigError, an
from gattn_tg.front.answers import TrainedSequences
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.front.load import load


def run(arguments: argparse.Namespace) -> int:
    """Prints the metrics: of a labelled table, or of the held-out data of a configuration."""
    data = arguments.input
    is_table = data is not None and data.suffix != ".toml"
    if arguments.both_strands is not None and not is_table:
        raise ConfigError(
            "gattn evaluate: expected a labelled table for --both-strands and --one-strand, got the data of a "
            "configuration; name a table (the [data] of tracks and sites has both_strands of its own)"
        )
    if arguments.mixture is not None and not is_table:
        raise ConfigError("gattn evaluate: expected a table of known sequences with --mixture, which says how the "
                          "model errs, got none; name one that the model was not trained on")
    if arguments.html is not None:
        output.check("gattn evaluate", arguments.html, overwrite=arguments.overwrite, as_json=False)
    with device.on(arguments.device, arguments.threads):
        model = load(arguments.checkpoint)
        if arguments.html is not None and not isinstance(model, TrainedSequences):
            raise ConfigError(f"gattn evaluate: --html: expected a model of whole sequences, got {an(model.kind)}; "
                              "leave it out")
        if arguments.mixture is not None:
            if not isinstance(model, TrainedClassifier):
                raise ConfigError(f"gattn evaluate: --mixture: expected a model of two classes, got {an(model.kind)} "
                                  "of others; leave it out")
            of = model.mixture(arguments.mixture, data, both_strands=arguments.both_strands,
                               batch_size=arguments.batch_size)
        if is_table and isinstance(model, TrainedSequences):
            found = model.evaluate(data, both_strands=arguments.both_strands, batch_size=arguments.batch_size)
        else:
            found = model.evaluate(data)
    if arguments.html is not None:
        found.to_html(arguments.html, overwrite=arguments.overwrite)
    if arguments.mixture is not None:
        tell_share(arguments.mixture, found.labels[1], of, as_json=arguments.json)
        return 0
    (tell_json if arguments.json else tell)(found)
    if arguments.html is not None and not arguments.json:
        say(f"page: {arguments.html}")
    return 0
