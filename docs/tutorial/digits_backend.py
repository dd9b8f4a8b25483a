"""A server that reads handwritten digits, with a model that is trained when it starts."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from dispatcher_sdk import Backend, InvalidInput

images, labels = load_digits(return_X_y=True)
known, unseen, known_labels, unseen_labels = train_test_split(images, labels, random_state=0)
model = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)).fit(known, known_labels)

backend = Backend("digits-01", capabilities=["digits"], max_concurrent=2)


@backend.predict(type="digits")
def read_digits(payload):
    """Read {"images": [[64 numbers from 0 to 16], ...]}: 8 x 8 pixels each, row by row."""
    try:
        given = np.asarray(payload["images"], dtype=float).reshape(-1, 64)
    except (KeyError, TypeError, ValueError):
        raise InvalidInput("images has to be a list of lists of 64 numbers") from None
    chances = model.predict_proba(given)
    return {"digits": model.classes_[chances.argmax(axis=1)], "confidence": chances.max(axis=1)}


if __name__ == "__main__":
    print(f"reads {model.score(unseen, unseen_labels):.1%} of digits it has never seen")
    backend.run()
