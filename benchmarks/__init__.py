"""Side-by-side measurements, each a module: `python -m benchmarks.claims --help`. Tables go to `benchmarks/results`."""
