"""The sample podcasts: invented shows, published and served over HTTP as real ones are, and the main job run on them for five days.

Belongs here: making and serving the samples. The pipeline that reads them knows nothing of this package.
"""
