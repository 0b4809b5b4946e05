from gevent import monkey

monkey.patch_all()  # before anything else is imported: sockets and sleeps must yield

from duecall.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
