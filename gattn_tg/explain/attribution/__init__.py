"""Which bases an answer rests on: mutations, and gradients of inputs that stand between bases."""
