"""Polling plans, fingerprints of items, hosts that ask to wait, suggested shows

Revision: 0002
After: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("feeds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("next_poll", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("interval", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("full_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("channel_fingerprint", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("show_key", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("hints", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("facts", sa.JSON(), nullable=True))
    with op.batch_alter_table("episodes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("title_key", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("settled", sa.Boolean(), nullable=True))
        batch_op.create_index("ix_episodes_feed_id_title_key", ["feed_id", "title_key"], unique=False)
        batch_op.create_index("ix_episodes_settled", ["settled"], unique=False)
    with op.batch_alter_table("episode_names", schema=None) as batch_op:
        batch_op.add_column(sa.Column("fingerprint", sa.String(length=16), nullable=True))
        batch_op.create_index("ix_episode_names_episode_id", ["episode_id"], unique=False)
    op.create_table(
        "host_waits",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("host"),
    )
    op.create_table(
        "suggestions",
        sa.Column("feed_id", sa.String(length=16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("first_found", sa.DateTime(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("feed_id"),
        sa.UniqueConstraint("url"),
    )


def downgrade() -> None:
    op.drop_table("suggestions")
    op.drop_table("host_waits")
    with op.batch_alter_table("episode_names", schema=None) as batch_op:
        batch_op.drop_index("ix_episode_names_episode_id")
        batch_op.drop_column("fingerprint")
    with op.batch_alter_table("episodes", schema=None) as batch_op:
        batch_op.drop_index("ix_episodes_settled")
        batch_op.drop_index("ix_episodes_feed_id_title_key")
        batch_op.drop_column("settled")
        batch_op.drop_column("title_key")
    with op.batch_alter_table("feeds", schema=None) as batch_op:
        for column in ("facts", "hints", "show_key", "channel_fingerprint", "full_at", "interval", "next_poll"):
            batch_op.drop_column(column)
