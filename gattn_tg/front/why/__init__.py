"""Why a trained model answers as it does: what bases and motifs give, put into sequences, taken out, or learnt."""
