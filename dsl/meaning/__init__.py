"""What names, values, units and settings mean: all that is asked on the way from the tree to the Program."""
