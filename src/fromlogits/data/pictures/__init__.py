"""Pictures in files: found in a folder, a zip file or a column of a table, checked, and turned into rows of pixels."""
