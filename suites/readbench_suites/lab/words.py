"""Random short words: pronounceable letters that mean nothing, so that they must be copied and cannot be recalled."""

import random

CONSONANTS = "bcdfghjklmnpqrstvwz"
VOWELS = "aeiou"
NAMES = "abcdefghijkm"  # of people and keys: few, so that matching two of them is learned early


def random_word(rng: random.Random) -> str:
    """Three letters, consonant-vowel-consonant: one of 1805 words."""
    return rng.choice(CONSONANTS) + rng.choice(VOWELS) + rng.choice(CONSONANTS)
