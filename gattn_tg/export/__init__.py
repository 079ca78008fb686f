"""Leaves the machine: a trained model as C, WebAssembly, a JavaScript module, or one HTML page for any browser."""
