"""Generates the example model's data set: rows that no patient ever had.

The table has the shape of the classic diabetes screening table (eight measurements, one class, zeros where a measurement is
missing), so that it exercises a serving path in the same way. Every row is drawn from the latent model below; none is copied.
The same seed gives the same bytes on every machine: numpy promises that for PCG64 and these distributions within one version.

Usage: python generate_data.py    writes production/data.csv (7 rows) and development/data.csv (765 rows) beside itself
"""

from pathlib import Path

import numpy as np

SEED = 6
TRAINING_ROWS = 765
UNSEEN_ROWS = 7

# name as in the file's first line, lowest and highest value, digits after the point
COLUMNS = [
    ("pregnancies", 0, 17, 0),
    ("glucose (mg/dl)", 44, 199, 0),  # two hours after a glucose load
    ("diastolic pressure (mm Hg)", 24, 122, 0),
    ("skin fold (mm)", 7, 99, 0),  # triceps
    ("insulin (mU/l)", 14, 846, 0),  # two hours after a glucose load
    ("body mass index (kg/m2)", 18.2, 67.1, 1),
    ("pedigree", 0.078, 2.42, 3),  # weight of diabetes among relatives
    ("age (years)", 21, 81, 0),
]

# Share of rows in which a measurement is missing and written as 0, by column; insulin: of the rows that have a skin fold.
SKIN_FOLD, INSULIN = 3, 4
MISSING = {1: 0.0065, 2: 0.046, SKIN_FOLD: 0.294, INSULIN: 0.27, 5: 0.0144}


def draw(rng: np.random.Generator, rows: int) -> np.ndarray:
    """The latent model: age and adiposity drive resistance to insulin, resistance drives glucose, all of them the diagnosis."""

    def noise() -> np.ndarray:
        return rng.standard_normal(rows)

    age = 21 + rng.gamma(1.05, 11.5, rows)
    seniority = (age - 33) / 12  # roughly standardized age
    adiposity = noise()
    resistance = 0.45 * adiposity + 0.30 * seniority + 0.80 * noise()

    pregnancies = rng.poisson(np.clip(0.22 * (age - 18), 0, 9) * rng.gamma(4, 0.25, rows))
    glucose = 121 + 27 * resistance + 12 * noise()
    pressure = 72 + 12 * (0.28 * adiposity + 0.32 * seniority + 0.88 * noise())
    skin_fold = 29 + 10 * (0.65 * adiposity + 0.76 * noise())
    insulin = np.exp(4.8 + 0.45 * resistance + 0.45 * noise())
    bmi = 32.4 + 6.8 * (0.95 * adiposity + 0.31 * noise())
    pedigree = np.exp(-0.95 + 0.62 * noise())

    table = np.column_stack([pregnancies, glucose, pressure, skin_fold, insulin, bmi, pedigree, age]).astype(float)
    for column, (_, low, high, digits) in enumerate(COLUMNS):
        table[:, column] = np.round(np.clip(table[:, column], low, high), digits)

    log_odds = (
        -1.2
        + 0.065 * (table[:, 1] - 121)
        + 0.095 * (table[:, 5] - 32.4)
        + 0.16 * (table[:, 0] - 3.3)
        + 1.1 * (table[:, 6] - 0.47)
        + 0.015 * (table[:, 7] - 33)
    )
    diagnosis = rng.random(rows) < 1 / (1 + np.exp(-log_odds))

    # Missing by chance alone, not by diagnosis; where nobody measured the skin fold, nobody measured insulin either.
    missing = {column: rng.random(rows) < share for column, share in MISSING.items()}
    missing[INSULIN] |= missing[SKIN_FOLD]
    for column, absent in missing.items():
        table[absent, column] = 0
    return np.column_stack([table, diagnosis])


def to_csv(table: np.ndarray) -> str:
    digits = [column[3] for column in COLUMNS] + [0]
    header = ",".join([column[0] for column in COLUMNS] + ["class"])
    return "\n".join([header] + [",".join(f"{value:.{d}f}" for value, d in zip(row, digits)) for row in table]) + "\n"


def main() -> None:
    here = Path(__file__).parent
    table = draw(np.random.default_rng(SEED), TRAINING_ROWS + UNSEEN_ROWS)
    for variant, rows in (("development", table[:TRAINING_ROWS]), ("production", table[TRAINING_ROWS:])):
        (here / variant).mkdir(exist_ok=True)
        (here / variant / "data.csv").write_text(to_csv(rows), encoding="ascii")


if __name__ == "__main__":
    main()
