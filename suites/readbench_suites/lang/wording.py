"""What the templates share: the request for a final answer, and names."""

ASK = "\n\nWrite your final answer between <answer> and </answer>."
PEOPLE = (
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Emma",
    "Felix",
    "Greta",
    "Hugo",
    "Irene",
    "Jonas",
    "Laura",
    "Martin",
    "Nora",
    "Oscar",
    "Paula",
    "Simon",
)
CITIES = ("Athens", "Berlin", "Dublin", "Geneva", "Lisbon", "Madrid", "Oslo", "Prague", "Rome", "Vienna", "Warsaw", "Zurich")


def tagged(answer: str) -> str:
    """The answer in the form that a prompt asks for."""
    return f"<answer>{answer}</answer>"
