"""Planning: which engine, power mode, rate and motion gate meet a budget, from rows that edge-bench has measured."""
