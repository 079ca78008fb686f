"""An ES module of a model, for other people's pages and for node, with its types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gattn_tg.export.payload import payload, script_json
from gattn_tg.export.program import Program

WEB = Path(__file__).with_name("web")
TYPES = """\
/** What the model is and what its answers mean. */
export interface About {
  kind: string; task: string; labels: string[]; rows: number; width: number; answers: number[];
  reads_lengths: boolean; motifs: [name: string, colour: string][]; parameters: number; version: string;
}
export declare class Model {
  about: About;
  /** Numbers in the answer to one row. */
  perRow: number;
  /** The motif id of every base; bases are ids A C G T N = 0..4. */
  motifs(bases: Uint8Array): Uint8Array;
  /** Raw answers to at most about.rows sequences, each padded to about.width bases with 4. */
  run(bases: Uint8Array, lengths: ArrayLike<number> & {length: number}, motifs?: Uint8Array): Float32Array;
}
export declare function load(): Promise<Model>;
/** Base ids of letters. */
export declare function encode(letters: string): Uint8Array;
/** Probabilities, values or counts from the raw answers to one row. */
export declare function meaning(about: About, answers: Float32Array): number[];
"""


def scripts(names: Sequence[str]) -> str:
    """Files of `web/` as one script: imports among them go, and nothing is exported."""
    return "\n".join(_inner((WEB / name).read_text(encoding="utf-8")) for name in names)


def _inner(text: str) -> str:
    return re.sub(r"^export ", "", re.sub(r"^import .*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)


def module(program: Program, *, half: bool) -> tuple[str, str]:
    """The text of `model.js` and of `model.d.ts`."""
    text = scripts(("dna.js", "answers.js", "unpack.js", "model.js"))
    held = script_json(payload(program, half=half))
    return (f"// Written by gattn_tg. Research use, not diagnosis.\n{text}\nconst PAYLOAD = {held};\n"
            "export const load = () => Model.load(PAYLOAD);\nexport {encode, meaning, Model};\n"), TYPES
