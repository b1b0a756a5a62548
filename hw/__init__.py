"""Hardware: configuration, compiler and RTL. Imports of `sw` only `numbers` and `bundle`."""
