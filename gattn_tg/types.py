"""Shape annotations: `Float[Tensor, "b h n d"]` reads as 'a floating Tensor with these axes'.

The names are aliases of `typing.Annotated`, so they cost nothing, need no package, and type checkers see the plain
array type. Axis letters are the project's: b batch, h query heads, g key heads, n query positions, m key
positions, d head width, e value width, w model width, v vocabulary, t motif table, l layers.
"""

from typing import Annotated as Bool
from typing import Annotated as Float
from typing import Annotated as Int
from typing import Annotated as UInt8

__all__ = ["Bool", "Float", "Int", "UInt8"]
