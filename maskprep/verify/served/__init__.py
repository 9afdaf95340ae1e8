"""What a server feeds its model, held against what stands before each trained turn of a build."""
