# One request to an OpenID 2.0 provider of Net::OpenID::Server.
# Arguments: the endpoint's URL, who is logged in, whose identity page is asked for.
# Standard input: a query or a form.  Standard output: a line with what it is, then it.
use strict;
use warnings;
use Net::OpenID::Server;
use URI::Escape qw(uri_unescape);

my ($endpoint, $user) = @ARGV;
my $text = do { local $/; <STDIN> } // '';
my %args;
for my $pair (split /&/, $text) {
    my ($name, $value) = map { tr/+/ /; uri_unescape($_) } split(/=/, $pair, 2);
    $args{$name} = $value;
}
my $server = Net::OpenID::Server->new(
    args          => \%args,
    endpoint_url  => $endpoint,
    setup_url     => $endpoint,
    server_secret => sub { 'a secret for tests' },
    get_user      => sub { $user || undef },
    get_identity  => sub { my ($who, $identity) = @_; $identity =~ /identifier_select/ ? $who : $identity },
    is_identity   => sub { my ($who, $identity) = @_; $who && $identity eq $who },
    is_trusted    => sub { my ($who, $realm, $is) = @_; $is },
);
my ($kind, $data) = $server->handle_page;
print $kind // 'error', "\n", ref $data ? 'setup' : $data // $server->err;
