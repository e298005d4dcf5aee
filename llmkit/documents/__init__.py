"""Where documents come from: folders and tables (sources), and files turned into text (loaders)."""
