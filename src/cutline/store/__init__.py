"""PostgreSQL: the truth. Migrations, and the statements of each part of the work in a module of its own."""
