"""Translation from English into German, French and Spanish, of phrases whose translation is settled.

Difficulty: easy, a number and a noun; medium, a noun with article and adjective, singular or plural; hard, a sentence with a verb, a
number, an adjective and a noun. Where two words are equally right, the verifier takes both.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from readbench.api import Difficulty, Question, source
from readbench_suites.lang.wording import PEOPLE

LANGUAGES = ("German", "French", "Spanish")
SHOWN = {"German": "der alte Mann", "French": "le vieil homme", "Spanish": "el hombre viejo"}
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMERALS = {
    "German": ("zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    "French": ("deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    "Spanish": ("dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"),
}
VERBS = {
    "has": {"German": "hat", "French": "a", "Spanish": "tiene"},
    "sees": {"German": "sieht", "French": "voit", "Spanish": "ve"},
    "buys": {"German": "kauft", "French": "achète", "Spanish": "compra"},
    "draws": {"German": "zeichnet", "French": "dessine", "Spanish": "dibuja"},
}
# English singular and plural; for each language its gender, singular and plural, with words that are equally right behind a bar
NOUNS = {
    ("apple", "apples"): {"German": "m Apfel Äpfel", "French": "f pomme pommes", "Spanish": "f manzana manzanas"},
    ("bed", "beds"): {"German": "n Bett Betten", "French": "m lit lits", "Spanish": "f cama camas"},
    ("bird", "birds"): {"German": "m Vogel Vögel", "French": "m oiseau oiseaux", "Spanish": "m pájaro pájaros"},
    ("book", "books"): {"German": "n Buch Bücher", "French": "m livre livres", "Spanish": "m libro libros"},
    ("bottle", "bottles"): {"German": "f Flasche Flaschen", "French": "f bouteille bouteilles", "Spanish": "f botella botellas"},
    ("bridge", "bridges"): {"German": "f Brücke Brücken", "French": "m pont ponts", "Spanish": "m puente puentes"},
    ("candle", "candles"): {"German": "f Kerze Kerzen", "French": "f bougie|chandelle bougies|chandelles", "Spanish": "f vela velas"},
    ("car", "cars"): {"German": "n Auto Autos", "French": "f voiture voitures", "Spanish": "m coche|carro|auto coches|carros|autos"},
    ("cat", "cats"): {"German": "f Katze Katzen", "French": "m chat chats", "Spanish": "m gato gatos"},
    ("chair", "chairs"): {"German": "m Stuhl Stühle", "French": "f chaise chaises", "Spanish": "f silla sillas"},
    ("cow", "cows"): {"German": "f Kuh Kühe", "French": "f vache vaches", "Spanish": "f vaca vacas"},
    ("cup", "cups"): {"German": "f Tasse Tassen", "French": "f tasse tasses", "Spanish": "f taza tazas"},
    ("dog", "dogs"): {"German": "m Hund Hunde", "French": "m chien chiens", "Spanish": "m perro perros"},
    ("door", "doors"): {"German": "f Tür Türen", "French": "f porte portes", "Spanish": "f puerta puertas"},
    ("egg", "eggs"): {"German": "n Ei Eier", "French": "m œuf|oeuf œufs|oeufs", "Spanish": "m huevo huevos"},
    ("flower", "flowers"): {"German": "f Blume Blumen", "French": "f fleur fleurs", "Spanish": "f flor flores"},
    ("hat", "hats"): {"German": "m Hut Hüte", "French": "m chapeau chapeaux", "Spanish": "m sombrero sombreros"},
    ("horse", "horses"): {"German": "n Pferd Pferde", "French": "m cheval chevaux", "Spanish": "m caballo caballos"},
    ("house", "houses"): {"German": "n Haus Häuser", "French": "f maison maisons", "Spanish": "f casa casas"},
    ("key", "keys"): {"German": "m Schlüssel Schlüssel", "French": "f clé|clef clés|clefs", "Spanish": "f llave llaves"},
    ("knife", "knives"): {"German": "n Messer Messer", "French": "m couteau couteaux", "Spanish": "m cuchillo cuchillos"},
    ("leaf", "leaves"): {"German": "n Blatt Blätter", "French": "f feuille feuilles", "Spanish": "f hoja hojas"},
    ("lemon", "lemons"): {"German": "f Zitrone Zitronen", "French": "m citron citrons", "Spanish": "m limón limones"},
    ("mountain", "mountains"): {"German": "m Berg Berge", "French": "f montagne montagnes", "Spanish": "f montaña montañas"},
    ("shirt", "shirts"): {"German": "n Hemd Hemden", "French": "f chemise chemises", "Spanish": "f camisa camisas"},
    ("shoe", "shoes"): {"German": "m Schuh Schuhe", "French": "f chaussure chaussures", "Spanish": "m zapato zapatos"},
    ("spoon", "spoons"): {"German": "m Löffel Löffel", "French": "f cuillère|cuiller cuillères|cuillers", "Spanish": "f cuchara cucharas"},
    ("star", "stars"): {"German": "m Stern Sterne", "French": "f étoile étoiles", "Spanish": "f estrella estrellas"},
    ("stone", "stones"): {"German": "m Stein Steine", "French": "f pierre pierres", "Spanish": "f piedra piedras"},
    ("table", "tables"): {"German": "m Tisch Tische", "French": "f table tables", "Spanish": "f mesa mesas"},
    ("tree", "trees"): {"German": "m Baum Bäume", "French": "m arbre arbres", "Spanish": "m árbol árboles"},
    ("window", "windows"): {"German": "n Fenster Fenster", "French": "f fenêtre fenêtres", "Spanish": "f ventana ventanas"},
}  # fmt: skip
# German: the stem that takes an ending; French and Spanish: masculine and feminine
ADJECTIVES = {
    "red": {"German": "rot", "French": "rouge rouge", "Spanish": "rojo roja"},
    "black": {"German": "schwarz", "French": "noir noire", "Spanish": "negro negra"},
    "white": {"German": "weiß", "French": "blanc blanche", "Spanish": "blanco blanca"},
    "green": {"German": "grün", "French": "vert verte", "Spanish": "verde verde"},
    "blue": {"German": "blau", "French": "bleu bleue", "Spanish": "azul azul"},
    "yellow": {"German": "gelb", "French": "jaune jaune", "Spanish": "amarillo amarilla"},
    "round": {"German": "rund", "French": "rond ronde", "Spanish": "redondo redonda"},
    "heavy": {"German": "schwer", "French": "lourd lourde", "Spanish": "pesado pesada"},
    "expensive": {"German": "teur", "French": "cher chère", "Spanish": "caro cara"},
    "clean": {"German": "sauber", "French": "propre propre", "Spanish": "limpio limpia"},
}
ARTICLES = {
    "German": {"m": "der", "f": "die", "n": "das", "plural": "die"},
    "French": {"m": "le", "f": "la", "plural": "les"},
    "Spanish": {"m": "el", "f": "la", "plural": "los", "f plural": "las"},
}
_QUOTE = "[\"'“”„«»]?"  # which some models put around a translation
_VOWEL = re.compile(r"[aâeéèêiîoôœuû]", re.IGNORECASE)  # before which le and la lose theirs


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun in one language; equally right words are separated by bars."""

    gender: str
    singular: str
    plural: str

    @classmethod
    def of(cls, english: tuple[str, str], language: str) -> "Noun":
        """The noun's translation."""
        return cls(*NOUNS[english][language].split(" "))


def _adjective(english: str, language: str, gender: str, *, plural: bool, definite: bool) -> str:
    """The adjective as it stands beside a noun of that gender and number."""
    forms = ADJECTIVES[english][language].split(" ")
    if language == "German":
        return forms[0] + ("en" if plural and definite else "e")  # der rote Hund, die roten Hunde, zwei rote Hunde
    form = forms[gender == "f"]
    if not plural:
        return form
    return form + ("es" if language == "Spanish" and form[-1] not in "aeo" else "s")


def _phrase(noun: str, adjective: str, language: str) -> list[str]:
    """Noun and adjective in the language's order."""
    return [adjective, noun] if language == "German" else [noun, adjective]


def _with_article(english: tuple[str, str], adjective: str, language: str, *, plural: bool) -> list[str]:
    noun = Noun.of(english, language)
    articles = ARTICLES[language]
    article = articles.get(f"{noun.gender} plural", articles["plural"]) if plural else articles[noun.gender]
    phrase = _phrase(
        noun.plural if plural else noun.singular,
        _adjective(adjective, language, noun.gender, plural=plural, definite=True),
        language,
    )
    if language == "French" and not plural and _VOWEL.match(phrase[0]):
        return ["|".join(f"l'{word}" for word in phrase[0].split("|")), *phrase[1:]]
    return [article, *phrase]


def _counted(english: tuple[str, str], number: int, adjective: str, language: str) -> list[str]:
    noun, numeral = Noun.of(english, language), NUMERALS[language][number]
    return [numeral, *_phrase(noun.plural, _adjective(adjective, language, noun.gender, plural=True, definite=False), language)]


def number_of(language: str, number: int, english: tuple[str, str]) -> Question:
    """A number (an index of `NUMBERS`) and a noun."""
    return _question(language, f"{NUMBERS[number]} {english[1]}", [NUMERALS[language][number], Noun.of(english, language).plural])


def described(language: str, adjective: str, english: tuple[str, str], *, plural: bool) -> Question:
    """A noun with article and adjective."""
    return _question(language, f"the {adjective} {english[plural]}", _with_article(english, adjective, language, plural=plural))


def told(language: str, person: str, verb: str, number: int, adjective: str, english: tuple[str, str]) -> Question:
    """A sentence."""
    words = [person, VERBS[verb][language], *_counted(english, number, adjective, language)]
    return _question(language, f"{person} {verb} {NUMBERS[number]} {adjective} {english[1]}.", words)


def _question(language: str, text: str, words: Sequence[str]) -> Question:
    answer = " ".join(word.split("|")[0] for word in words) + ("." if text.endswith(".") else "")
    return Question(
        prompt=f"Translate into {language}.\n\nEnglish: the old man\n{language}: {SHOWN[language]}\n\nEnglish: {text}\n{language}:",
        answer=answer,
        key=f"{language}: {text}",
        reference=_pattern(words),
        verifier="regex",
    )


def _pattern(words: Sequence[str]) -> str:
    """A regular expression for the words, with either of two that are equally right, in any case, with or without a full stop."""
    parts = [f"(?:{'|'.join(map(re.escape, word.split('|')))})".replace("'", "['’]") for word in words]
    return rf"(?i){_QUOTE}\s*" + r"\s+".join(parts) + rf"\s*[.!]?\s*{_QUOTE}"


class Translation:
    """English phrases and their translations."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A number and a noun; an article, an adjective and a noun; or a sentence."""
        language = rng.choice(LANGUAGES)
        english, adjective, number = rng.choice(sorted(NOUNS)), rng.choice(sorted(ADJECTIVES)), rng.randrange(len(NUMBERS))
        if difficulty == 0:
            return number_of(language, number, english)
        if difficulty == 1:
            return described(language, adjective, english, plural=rng.random() < 0.5)
        return told(language, rng.choice(PEOPLE), rng.choice(sorted(VERBS)), number, adjective, english)


@source("lang.translation")
def translation() -> Translation:
    """Phrases and sentences to translate into German, French and Spanish."""
    return Translation()
