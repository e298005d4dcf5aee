"""Small PDF and docx files, made on the spot."""

from __future__ import annotations

import io
import zipfile

DOCUMENT = (
    '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    "{}</w:body></w:document>"
)
STYLES = (
    '<?xml version="1.0"?><w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>'
    '<w:style w:styleId="Eigen"><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style></w:styles>'
)
CORE = (
    '<?xml version="1.0"?><cp:coreProperties xmlns:cp="c" xmlns:dc="d" xmlns:dcterms="t"><dc:creator>Ann</dc:creator>'
    "<dcterms:created>2023-05-06T07:08:09Z</dcterms:created></cp:coreProperties>"
)


def paragraph(text: str, style: str = "", *, item: bool = False) -> str:
    """Return a paragraph's XML."""
    marks = f'<w:pStyle w:val="{style}"/>' if style else ""
    marks += '<w:numPr><w:ilvl w:val="0"/></w:numPr>' if item else ""
    return f'<w:p><w:pPr>{marks}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def docx(body: str, *, document: str = DOCUMENT) -> bytes:
    """Return a docx with a body."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("word/document.xml", document.format(body))
        file.writestr("word/styles.xml", STYLES)
        file.writestr("docProps/core.xml", CORE)
    return made.getvalue()


def pdf(pages: list[str], *, locked: bool = False) -> bytes:
    """Return a PDF with a line of text on each page; a locked one asks for a password that nobody has."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects += [page, f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream"]
    objects.append("<< /Title (The paper) /Author (Bo) /CreationDate (D:20210203040506Z) >>")
    trailer = f"/Root 1 0 R /Info {len(objects)} 0 R"
    if locked:
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{'11' * 32}> /U <{'22' * 32}> >>")
        trailer += f" /Encrypt {len(objects)} 0 R /ID [<{'33' * 16}> <{'33' * 16}>]"
    made, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    made += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    made += f"trailer\n<< /Size {len(objects) + 1} {trailer} >>\nstartxref\n{made.index('xref')}\n%%EOF\n"
    return made.encode("latin-1")
