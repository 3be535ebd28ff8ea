#!/usr/bin/env bash
# Expected: text written into a cell by one library is the same text when another one reads it.
# Instead: characters that XML can't hold are written as _xHHHH_ in a workbook, and libraries
# disagree about it. A Windows line break written by XlsxWriter 3.3.1 is read by openpyxl 3.1.5 as
# "_x000D_" in the text; calamine (python-calamine 0.9.1) decodes it. The other way round openpyxl
# writes a text such as "SKU_x0041_" as it is, and calamine makes "SKUA" of it; XlsxWriter
# protects it.
# Why it matters: product descriptions in several lines come with such marks, and they end up in
# front of customers.
# Frontdesk: reads with calamine, so line breaks are right; an article number with _x0041_ from
# openpyxl can't be told from an escape.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'XlsxWriter==3.3.1' 'openpyxl==3.1.5' 'python-calamine==0.9.1'
"$work/venv/bin/python" - <<'PY'
import io

import openpyxl
import python_calamine
import xlsxwriter

TEXTS = ["first\r\nsecond", "SKU_x0041_"]


def by_xlsxwriter():
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    book.add_worksheet().write_column(0, 0, TEXTS)
    book.close()
    return file.getvalue()


def by_openpyxl():
    book = openpyxl.Workbook()
    for text in TEXTS:
        book.active.append([text])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def read(data):
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    rows = book.get_sheet_by_index(0).to_python()
    return [row[0].value for row in sheet], [row[0] for row in rows]


expected = {
    by_xlsxwriter: (["first_x000D_\nsecond", "SKU_x0041_"], ["first\r\nsecond", "SKU_x0041_"]),
    by_openpyxl: (["first\nsecond", "SKU_x0041_"], ["first\nsecond", "SKUA"]),
}
for write, pair in expected.items():
    seen = read(write())
    print(write.__name__, "openpyxl reads", seen[0], "calamine reads", seen[1])
    assert seen == pair, seen
PY
echo "as described"
