"""The report page: one self-contained HTML file of a results document, with its pictures as inline SVG."""
