"""Tables of what runs beside other software, or beside what the machine can do."""

from __future__ import annotations

from bench.tables import markdown, newest


def roofline() -> str:
    lines = sorted(newest("roofline", "kernel", "case", "limit", "threads"), key=lambda x: x["threads"])
    rows = [[x["kernel"], x["case"], x["limit"], str(x["threads"]), f"{x['per_s'] / 1e9:,.1f}",
             f"{x['share']:.0%}" if "share" in x else ""] for x in lines]  # fmt: skip
    return markdown(["kernel", "sizes", "ceiling", "threads", "10^9 per second", "share of the ceiling"], rows)


def inference() -> str:
    peers = ("onnx", "compiled", "eager")
    rows = [[x["kind"], x["preset"], x["precision"], f"{x['batch']} x {x['n']:,}", str(x["threads"]),
             f"{x['times']['gattn_tg']['median_ms']:,.1f}",
             *(f"{x['times'][p]['median_ms']:,.1f} ({x['ratio'][p]:.2f})" if p in x["times"] else "wrong"
               for p in peers)]
            for x in newest("inference", "kind", "preset", "precision", "threads")]  # fmt: skip
    return markdown(["model", "preset", "precision", "batch x bases", "threads", "gattn_tg ms",
                     "ONNX Runtime float32 ms", "PyTorch compiled ms", "PyTorch ms"], rows)
