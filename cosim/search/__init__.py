"""Studies: proposed candidates, scored by accuracy, stored bits and measured cycles; and their final front."""
