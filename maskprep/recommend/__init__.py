"""Which settings make given conversations trainable: found by trying them, the same for probe, build and init.

    conversations ─▶ measure ─▶ search ─▶ measure again ─▶ choose ─▶ Recommendation
                     rejects    settings   every history    one       in words, as a command, as YAML

Nothing is recommended that was not tried on these very conversations.
"""
