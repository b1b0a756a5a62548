"""The accelerator as a part of the systems of others."""
