"""``python -m napari_tsimcne``: the command line, and the child process that trains."""

from napari_tsimcne.cli import main

if __name__ == "__main__":
    main()
