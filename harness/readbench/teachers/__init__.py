"""Who answers: local models, HTTP endpoints, recorded answers, and the cache that all trials of a run share."""
