#!/usr/bin/env bash
# Expected: a formula that nobody has calculated yet has no value in the file, so a reader gets an
# empty cell and can tell.
# Instead: XlsxWriter 3.3.1 stores 0 as the result of every formula. openpyxl 3.1.5 (data_only)
# and calamine (python-calamine 0.9.1) both read a gross price of 0. openpyxl itself writes no
# value, so the same sheet made with it reads as empty. What tells the two apart is
# fullCalcOnLoad="1" in xl/workbook.xml: the program asks Excel to calculate on opening.
# Why it matters: price lists are generated this way. A bot would tell customers that all is free.
# Frontdesk: reports formulas without a stored result (workbook.rs). It should treat a stored 0 of
# a formula in the same way where fullCalcOnLoad is set.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'XlsxWriter==3.3.1' 'openpyxl==3.1.5' 'python-calamine==0.9.1'
"$work/venv/bin/python" - <<'PY'
import io
import zipfile

import openpyxl
import python_calamine
import xlsxwriter


def by_xlsxwriter():
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["Net", "Gross"])
    sheet.write(1, 0, 100)
    sheet.write_formula(1, 1, "=A2*1.19")
    book.close()
    return file.getvalue()


def by_openpyxl():
    book = openpyxl.Workbook()
    book.active.append(["Net", "Gross"])
    book.active.append([100, "=A2*1.19"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


expected = {by_xlsxwriter: (0, 0.0), by_openpyxl: (None, "")}
for write, pair in expected.items():
    data = write()
    read = openpyxl.load_workbook(io.BytesIO(data), data_only=True).active["B2"].value
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    rows = book.get_sheet_by_index(0).to_python()
    gross = rows[1][1] if len(rows[1]) > 1 else ""
    print(write.__name__, "openpyxl:", repr(read), "calamine:", repr(gross))
    assert (read, gross) == pair, (read, gross)
assert b'fullCalcOnLoad="1"' in zipfile.ZipFile(io.BytesIO(by_xlsxwriter())).read("xl/workbook.xml")
PY
echo "as described"
