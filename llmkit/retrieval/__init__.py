"""The index on disk, lexical search, filters, and what is made of ranked passages: fusion, diversity, citations."""
