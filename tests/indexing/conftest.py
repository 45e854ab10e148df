"""Pictures by path for the tests of the index."""

from tests.indexed import given as given
from tests.indexed import one_level as one_level
from tests.indexed import with_table as with_table
