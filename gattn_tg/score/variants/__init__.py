"""What variants do, as a model sees it: both alleles of every variant asked, in a stream."""
