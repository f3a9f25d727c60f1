"""``python -m curation``"""

from curation.cli.main import main

if __name__ == "__main__":
    main()
