"""Used: networks, data, training, evaluation and recipes, to train the models of the book."""

__all__: list[str] = []
