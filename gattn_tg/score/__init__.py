"""Running a trained model over files."""
