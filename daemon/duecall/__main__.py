import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, by nohup
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while this is loaded: end without a word

from gevent import monkey

monkey.patch_all()  # before anything else is imported: sockets and sleeps must yield

from duecall.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
