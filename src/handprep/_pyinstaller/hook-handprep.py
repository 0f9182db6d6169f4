"""PyInstaller: the network, page and style that lie beside the code; what is imported, it sees by itself."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("handprep")
