#!/usr/bin/env bash
# Expected: where a document has a tracked change (fee 5 replaced by 8), a reader shows the old or
# the new figure, or both.
# Instead: python-docx 1.2.0 shows neither: Paragraph.text takes runs and links that are direct
# children, so what was inserted (w:ins) is skipped and so is a content control (w:sdt). The
# sentence reads "The fee is  per parcel". mammoth 1.13.0 (npm) reads "The fee is 8 EUR per
# parcel".
# Why it matters: terms are revised with tracked changes, and templates fill content controls. The
# sentence stays grammatical, so nobody notices that the amount is gone.
# Frontdesk: reads insertions and content controls, leaves deletions out (ingest/docx.rs), as
# mammoth.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'mammoth@1.13.0' >/dev/null
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check \
  'python-docx==1.2.0'
venv/bin/python - <<'PY'
import docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

book = docx.Document()
paragraph = book.add_paragraph("The fee is ")
for xml in (
    '<w:del {} w:id="1" w:author="Ann"><w:r><w:delText>5</w:delText></w:r></w:del>',
    '<w:ins {} w:id="2" w:author="Ann"><w:r><w:t>8</w:t></w:r></w:ins>',
    '<w:sdt {}><w:sdtContent><w:r><w:t xml:space="preserve"> EUR</w:t></w:r></w:sdtContent></w:sdt>',
):
    paragraph._p.append(parse_xml(xml.format(nsdecls("w"))))
paragraph.add_run(" per parcel")
book.save("fee.docx")
text = docx.Document("fee.docx").paragraphs[-1].text
print("python-docx 1.2.0:", repr(text))
assert text == "The fee is  per parcel", text
PY
cat > run.js <<'JS'
require("mammoth").extractRawText({ path: "fee.docx" }).then(({ value }) => {
  console.log("mammoth 1.13.0:", JSON.stringify(value));
  require("assert").strictEqual(value.trim(), "The fee is 8 EUR per parcel");
});
JS
node run.js
echo "as described"
