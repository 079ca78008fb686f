"""What `gattn predict` loads before its first answer: nothing that answers other questions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary

ROOT = Path(__file__).resolve().parents[2]
# rooms, files and packages that predicting the classes of sequences has no use for
OTHERS = (
    "gattn_tg.explain", "gattn_tg.export", "gattn_tg.training.tasks", "gattn_tg.training.loop.fit",
    "gattn_tg.training.loop.step", "gattn_tg.training.evaluate", "gattn_tg.score.variants", "gattn_tg.score.evaluate",
    "gattn_tg.front.why", "gattn_tg.front.evaluation", "gattn_tg.front.converting",
    "gattn_tg.models.imported", "gattn_tg.models.tracks", "gattn_tg.models.sites.network", "gattn_tg.reference",
    "importlib.metadata", "email", "torch", "pandas", "scipy",
)  # fmt: skip
PREDICT = """
import sys
from gattn_tg.cli.main import main
code = main(sys.argv[1:])
print("\\n".join(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def test_predicting_loads_nothing_that_answers_other_questions(tmp_path: Path) -> None:
    model = SequenceClassifier(ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=1, max_length=16))
    checkpoint.save(model, tmp_path / "model", readout=ClassReadout(labels=("no", "yes")),
                    vocabulary=MotifVocabulary.default())
    (tmp_path / "two.fa").write_text(">a\nACGTACGTACGTACGT\n>b\nTTTTACGTACGTAAAA\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PREDICT, "predict", "model", str(tmp_path / "two.fa"), "--device", "CPU"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 3
    loaded = done.stderr.splitlines()
    assert "gattn_tg.score.predict" in loaded
    odd = [name for name in loaded if any(f"{name}.".startswith(f"{other}.") for other in OTHERS)]
    assert not odd, "\n".join(odd)
