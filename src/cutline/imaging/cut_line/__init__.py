"""From the outline of the art in pixels to the paths of the blade in mm; read build.py first."""
