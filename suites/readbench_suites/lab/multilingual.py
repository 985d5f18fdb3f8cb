"""A dictionary: words between English, German and Spanish.

For single words the capability is recall, so what the splits hold out is the phrasing; for phrases it is the pair of words.
Difficulty: easy, an English noun into German or Spanish; medium, back into English; hard, two nouns with an "and".
"""

import random

from readbench.api import Difficulty, Question, source

NOUNS = {  # English: German, Spanish
    "dog": ("hund", "perro"),
    "cat": ("katze", "gato"),
    "sun": ("sonne", "sol"),
    "moon": ("mond", "luna"),
    "house": ("haus", "casa"),
    "tree": ("baum", "arbol"),
    "fish": ("fisch", "pez"),
    "bread": ("brot", "pan"),
    "milk": ("milch", "leche"),
    "bird": ("vogel", "ave"),
    "book": ("buch", "libro"),
    "hand": ("hand", "mano"),
    "fire": ("feuer", "fuego"),
    "sea": ("meer", "mar"),
    "star": ("stern", "astro"),
    "horse": ("pferd", "caballo"),
    "night": ("nacht", "noche"),
    "road": ("weg", "camino"),
    "bed": ("bett", "cama"),
    "egg": ("ei", "huevo"),
}
LANGUAGES = {"de": "und", "es": "y"}  # with their word for "and"
OPENERS = ("", "say ", "put ", "tell ", "word ", "turn ")
BODIES = ("{word} in {language}", "{language}: {word}", "{word} to {language}", "{language} for {word}", "{word} > {language}")


class Multilingual:
    """Translation by dictionary."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """One word in one phrasing, or two words."""
        language = rng.choice(tuple(LANGUAGES))
        column = tuple(LANGUAGES).index(language)
        noun, second = rng.sample(tuple(NOUNS), 2)
        translated = NOUNS[noun][column]
        opener, body = rng.choice(OPENERS), rng.choice(BODIES)
        if difficulty == 0:
            return Question(prompt=opener + body.format(word=noun, language=language), answer=translated)
        if difficulty == 1:
            return Question(prompt=opener + body.format(word=f"{language} {translated}", language="en"), answer=noun)
        prompt = opener + body.format(word=f"{noun} and {second}", language=language)
        answer = f"{translated} {LANGUAGES[language]} {NOUNS[second][column]}"
        return Question(prompt=prompt, answer=answer, key=f"{language} {noun} {second}")


@source("lab.multilingual")
def multilingual() -> Multilingual:
    """A dictionary of three languages, and phrases of two words."""
    return Multilingual()
