"""The front door: a trained model is loaded, and asked."""
