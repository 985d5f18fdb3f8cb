"""Questions in plain language for any instruct model: tables, tool calls and translation, from seeded templates.

Every prompt ends by asking for the final answer in a stated form, and every question names the verifier that reads it. Difficulty comes
from control factors that each module states.
"""
