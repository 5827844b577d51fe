"""From the tree to the Program, one file a kind of thing. `rollout` puts it all together."""
